"""Where the methods were published: titles, authors and years."""

from typing import NamedTuple


class Paper(NamedTuple):
    """A publication.

    Attributes:
        title: String, as in its latest version.
        authors: String, their names in order.
        year: Int, of its first version.
    """

    title: str
    authors: str
    year: int

    def citation(self) -> str:
        """Returns authors, title and year as one text."""
        return f'{self.authors}: "{self.title}", {self.year}'


# By the `source` of the recipes: arXiv ids in their order, then others.
PAPERS = {
    "2004.05884": Paper(
        "Adversarial Weight Perturbation Helps Robust Generalization",
        "Dongxian Wu, Shu-Tao Xia, Yisen Wang",
        2020,
    ),
    "2010.01412": Paper(
        "Sharpness-Aware Minimization for Efficiently Improving Generalization",
        "Pierre Foret, Ariel Kleiner, Hossein Mobahi, Behnam Neyshabur",
        2020,
    ),
    "2102.11600": Paper(
        "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant "
        "Learning of Deep Neural Networks",
        "Jungmin Kwon, Jeongseop Kim, Hyunseo Park, In Kwon Choi",
        2021,
    ),
    "2110.03141": Paper(
        "Efficient Sharpness-aware Minimization for Improved Training of "
        "Neural Networks",
        "Jiawei Du, Hanshu Yan, Jiashi Feng, Joey Tianyi Zhou, Liangli Zhen, "
        "Rick Siow Mong Goh, Vincent Y. F. Tan",
        2021,
    ),
    "2110.08529": Paper(
        "Sharpness-Aware Minimization Improves Language Model Generalization",
        "Dara Bahri, Hossein Mobahi, Yi Tay",
        2021,
    ),
    "2202.03599": Paper(
        "Penalizing Gradient Norm for Efficiently Improving Generalization in "
        "Deep Learning",
        "Yang Zhao, Hao Zhang, Xiuyuan Hu",
        2022,
    ),
    "2203.02714": Paper(
        "Towards Efficient and Scalable Sharpness-Aware Minimization",
        "Yong Liu, Siqi Mai, Xiangning Chen, Cho-Jui Hsieh, Yang You",
        2022,
    ),
    "2203.08065": Paper(
        "Surrogate Gap Minimization Improves Sharpness-Aware Training",
        "Juntang Zhuang, Boqing Gong, Liangzhe Yuan, Yin Cui, Hartwig Adam, "
        "Nicha C. Dvornek, Sekhar Tatikonda, James S. Duncan, Ting Liu",
        2022,
    ),
    "2203.09962": Paper(
        "Randomized Sharpness-Aware Training for Boosting Computational "
        "Efficiency in Deep Learning",
        "Yang Zhao, Hao Zhang, Xiuyuan Hu",
        2022,
    ),
    "2206.04920": Paper(
        "Fisher SAM: Information Geometry and Sharpness Aware Minimisation",
        "Minyoung Kim, Da Li, Shell Xu Hu, Timothy M. Hospedales",
        2022,
    ),
    "2206.06232": Paper(
        "Towards Understanding Sharpness-Aware Minimization",
        "Maksym Andriushchenko, Nicolas Flammarion",
        2022,
    ),
    "2210.05177": Paper(
        "Make Sharpness-Aware Minimization Stronger: A Sparsified Perturbation "
        "Approach",
        "Peng Mi, Li Shen, Tianhe Ren, Yiyi Zhou, Xiaoshuai Sun, Rongrong Ji, "
        "Dacheng Tao",
        2022,
    ),
    "2210.12864": Paper(
        "K-SAM: Sharpness-Aware Minimization at the Speed of SGD",
        "Renkun Ni, Ping-yeh Chiang, Jonas Geiping, Micah Goldblum, Andrew "
        "Gordon Wilson, Tom Goldstein",
        2022,
    ),
    "2302.10181": Paper(
        "Exploring the Effect of Multi-step Ascent in Sharpness-Aware "
        "Minimization",
        "Hoki Kim, Jinseong Park, Yujin Choi, Woojin Lee, Jaewook Lee",
        2023,
    ),
    "2303.03108": Paper(
        "Gradient Norm Aware Minimization Seeks First-Order Flatness and "
        "Improves Generalization",
        "Xingxuan Zhang, Renzhe Xu, Han Yu, Hao Zou, Peng Cui",
        2023,
    ),
    "2303.10353": Paper(
        "Sharpness-Aware Gradient Matching for Domain Generalization",
        "Pengfei Wang, Zhaoxiang Zhang, Zhen Lei, Lei Zhang",
        2023,
    ),
    "2304.14647": Paper(
        "An Adaptive Policy to Employ Sharpness-Aware Minimization",
        "Weisen Jiang, Hansi Yang, Yu Zhang, James Kwok",
        2023,
    ),
    "2305.15817": Paper(
        "Sharpness-Aware Minimization Revisited: Weighted Sharpness as a "
        "Regularization Term",
        "Yun Yue, Jiadi Jiang, Zhiling Ye, Ning Gao, Yongchao Liu, Ke Zhang",
        2023,
    ),
    "2306.04226": Paper(
        "Normalization Layers Are All That Sharpness-Aware Minimization Needs",
        "Maximilian Mueller, Tiffany Vlaar, David Rolnick, Matthias Hein",
        2023,
    ),
    "2306.08553": Paper(
        "Noise Stability Optimization for Finding Flat Minima: A Hessian-based "
        "Regularization Approach",
        "Hongyang R. Zhang, Dongyue Li, Haotian Ju",
        2023,
    ),
    "2307.16704": Paper(
        "Lookbehind-SAM: k steps back, 1 step forward",
        "Gonçalo Mordido, Pranshu Malviya, Aristide Baratin, Sarath Chandar",
        2023,
    ),
    "2309.15639": Paper(
        "Enhancing Sharpness-Aware Optimization Through Variance Suppression",
        "Bingcong Li, Georgios B. Giannakis",
        2023,
    ),
    "2312.13555": Paper(
        "CR-SAM: Curvature Regularized Sharpness-Aware Minimization",
        "Tao Wu, Tie Luo, Donald C. Wunsch",
        2023,
    ),
    "2401.07250": Paper(
        "Stabilizing Sharpness-aware Minimization Through A Simple "
        "Renormalization Strategy",
        "Chengli Tan, Jiangshe Zhang, Junmin Liu, Yicheng Wang, Yunda Hao",
        2024,
    ),
    "2401.12033": Paper(
        "Momentum-SAM: Sharpness Aware Minimization without Computational "
        "Overhead",
        "Marlon Becker, Frederick Altrock, Benjamin Risse",
        2024,
    ),
    "2403.12350": Paper(
        "Friendly Sharpness-Aware Minimization",
        "Tao Li, Pan Zhou, Zhengbao He, Xinwen Cheng, Xiaolin Huang",
        2024,
    ),
    "2404.00357": Paper(
        "Revisiting Random Weight Perturbation for Efficiently Improving "
        "Generalization",
        "Tao Li, Qinghua Tao, Weihao Yan, Zehao Lei, Yingwen Wu, Kun Fang, "
        "Mingzhen He, Xiaolin Huang",
        2024,
    ),
    "2407.12993": Paper(
        "Improving SAM Requires Rethinking its Optimization Formulation",
        "Wanyun Xie, Fabian Latorre, Kimon Antonakopoulos, Thomas Pethick, "
        "Volkan Cevher",
        2024,
    ),
    "2410.10373": Paper(
        "Sharpness-Aware Minimization Efficiently Selects Flatter Minima Late "
        "In Training",
        "Zhanpeng Zhou, Mingze Wang, Yuchen Mao, Bingrui Li, Junchi Yan",
        2024,
    ),
    "2410.22656": Paper(
        "Tilted Sharpness-Aware Minimization",
        "Tian Li, Tianyi Zhou, Jeffrey A. Bilmes",
        2024,
    ),
    "2501.12666": Paper(
        "Explicit Eigenvalue Regularization Improves Sharpness-Aware "
        "Minimization",
        "Haocheng Luo, Tuan Truong, Tung Pham, Mehrtash Harandi, Dinh Phung, "
        "Trung Le",
        2025,
    ),
    "2502.02407": Paper(
        "Avoiding spurious sharpness minimization broadens applicability of "
        "SAM",
        "Sidak Pal Singh, Hossein Mobahi, Atish Agarwala, Yann Dauphin",
        2025,
    ),
    "2503.02225": Paper(
        "Sharpness-Aware Minimization: General Analysis and Improved Rates",
        "Dimitris Oikonomou, Nicolas Loizou",
        2025,
    ),
    "2503.11147": Paper(
        "Asynchronous Sharpness-Aware Minimization For Fast and Accurate Deep "
        "Learning",
        "Junhyuk Jo, Jihyun Lim, Sunwoo Lee",
        2025,
    ),
    "2505.02369": Paper(
        "Sharpness-Aware Minimization with Z-Score Gradient Filtering",
        "Vincent-Daniel Yun",
        2025,
    ),
    "2601.10251": Paper(
        "X-SAM: Boosting Sharpness-Aware Minimization with "
        "Dominant-Eigenvector Gradient Correction",
        "Hongru Duan, Yongle Chen, Lei Guan",
        2026,
    ),
    "2603.10048": Paper(
        "Revisiting Sharpness-Aware Minimization: A More Faithful and "
        "Effective Implementation",
        "Jianlong Chen, Zhiming Zhou",
        2026,
    ),
    "2605.10183": Paper(
        "Fix the Loss, Not the Radius: Rethinking the Adversarial Perturbation "
        "of Sharpness-Aware Minimization",
        "Jinping Wang, Qinhan Liu, Zhiwu Xie, Zhiqiang Gao",
        2026,
    ),
    "OpenReview htUvh7xPoa": Paper(
        "Random Sharpness-Aware Minimization",
        "Yong Liu, Siqi Mai, Minhao Cheng, Xiangning Chen, Cho-Jui Hsieh, Yang "
        "You",
        2022,
    ),
    "Composer": Paper("Composer, a library", "The Mosaic ML Team", 2021),
}
